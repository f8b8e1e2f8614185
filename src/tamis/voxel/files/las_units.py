"""The unit of a LAS file's coordinates, from its coordinate reference system: WKT or GeoTIFF keys, through pyproj."""

from pathlib import Path
from typing import Any

from tamis.voxel.files.point_cloud import Triple, damaged

_MODEL_TYPE, _LINEAR_UNITS, _VERTICAL_UNITS = 1024, 3076, 4099  # GeoTIFF keys
_GEOGRAPHIC = 2  # a value of _MODEL_TYPE
_CURE = 'Give metres_per_unit= if you know better ("--metres-per-unit" on the command line; 0.3048 for feet).'


def units_of(path: Path, header: Any) -> Triple:
    """Metres per unit of x, y and z; 1 where the file has no coordinate reference system.

    Where only the horizontal unit is told, heights are taken to be in it too, as surveys in feet are.

    Raises
    ------
    ValueError
        If the coordinates are degrees, or the reference system is not understood.
    """
    records = [*header.vlrs, *(header.evlrs or ())]
    if not any(record.user_id.startswith("LASF_Projection") for record in records):
        return (1.0, 1.0, 1.0)
    try:
        import pyproj  # an extra: only files with a reference system need it
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"read_points({str(path)!r}): the units of its coordinate reference system are read with pyproj: "
            f'pip install "tamis[voxel]", or give metres_per_unit=.'
        ) from error
    keys = _geotiff_keys(records)
    try:
        system = header.parse_crs()
    except pyproj.exceptions.CRSError as error:
        raise damaged(path, "coordinate reference system", f"not understood: {error}. {_CURE}") from error
    if (system is not None and system.is_geographic) or (
        system is None and keys.get(_MODEL_TYPE) == _GEOGRAPHIC
    ):
        name = "" if system is None else f" ({system.name})"
        raise damaged(
            path,
            "coordinate reference system",
            f"x and y are degrees{name}, and voxels are metres. Project the file first, to UTM for example: "
            f"pdal translate in.las out.las reprojection --filters.reprojection.out_srs=EPSG:32632",
        )
    flat = _linear_unit(keys.get(_LINEAR_UNITS))
    height = _linear_unit(keys.get(_VERTICAL_UNITS))
    if system is not None:
        factors = [axis.unit_conversion_factor for axis in system.axis_info]
        flat = factors[0] if factors else flat
        height = factors[2] if len(factors) > 2 else height
    if flat is None:
        if not keys and not any(_is_damaged(record) for record in records):  # records that say nothing
            return (1.0, 1.0, 1.0)
        raise damaged(path, "coordinate reference system", f"names no unit of length. {_CURE}")
    return (flat, flat, flat if height is None else height)


def _geotiff_keys(records: list[Any]) -> dict[int, int]:
    """Keys whose value stands in the directory itself, as codes of units and models do."""
    directories = [record for record in records if hasattr(record, "geo_keys")]
    return {
        key.id: key.value_offset
        for directory in directories
        for key in directory.geo_keys
        if key.tiff_tag_location == 0 and key.id != 0
    }


def _is_damaged(record: Any) -> bool:
    """Whether laspy left a WKT or GeoTIFF record as bytes: it does so where it cannot parse one."""
    return record.record_id in (2112, 34735) and hasattr(record, "record_data")


def _linear_unit(code: int | None) -> float | None:
    """Metres in an EPSG unit of length; None where there is no such code."""
    if code is None:
        return None
    from pyproj.database import get_units_map

    units = get_units_map(auth_name="EPSG", category="linear", allow_deprecated=True)
    return next((unit.conv_factor for unit in units.values() if unit.code == str(code)), None)
