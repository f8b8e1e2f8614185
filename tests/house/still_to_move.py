"""What does not keep the rules yet, as (importing room, imported room). Nothing may be added; what is mended is struck out."""

UPWARDS: set[tuple[str, str]] = set()

DEEP: set[tuple[str, str]] = set()

# Folders of src/tamis with more files than 15, and how many they have.
FULL: dict[str, int] = {"formats": 19}
