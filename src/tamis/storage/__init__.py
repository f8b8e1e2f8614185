"""Files: whole or absent, read strictly, written by one process at a time.

Importing this room imports no library beyond torch: pydantic, filelock and safetensors are imported by the functions that need them.
"""

from tamis.storage.beside import remove_leftovers, write_bytes, write_text, written_beside
from tamis.storage.fingerprints import (
    fingerprint,
    fingerprint_of_file,
    fingerprint_of_settings,
    sha256_of_file,
)
from tamis.storage.folders import files_below
from tamis.storage.json_files import read_json, write_json
from tamis.storage.locks import folder_lock
from tamis.storage.records import STRICT, plain, read_record
from tamis.storage.tensors import read_tensors, write_tensors, write_tensors_named_by_content
from tamis.storage.toml_files import read_toml

__all__ = [
    "STRICT",
    "files_below",
    "fingerprint",
    "fingerprint_of_file",
    "fingerprint_of_settings",
    "folder_lock",
    "plain",
    "read_json",
    "read_record",
    "read_tensors",
    "read_toml",
    "remove_leftovers",
    "sha256_of_file",
    "write_bytes",
    "write_json",
    "write_tensors",
    "write_tensors_named_by_content",
    "write_text",
    "written_beside",
]
