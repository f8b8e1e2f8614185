"""What does not keep the rules yet, as (importing room, imported room). Nothing may be added; what is mended is struck out."""

UPWARDS: set[tuple[str, str]] = set()

DEEP: set[tuple[str, str]] = {
    *(("bench", room) for room in ("emotion", "formats", "tuning", "voxel", "workloads")),
    *(("cli", room) for room in ("bench", "emotion", "formats", "pruning", "tour", "voxel", "workloads")),
    ("emotion", "training"),
    ("models", "pruning"),
    ("ops", "kernels"),
    ("tour", "workloads"),
    ("workloads", "formats"),
}

# Folders of src/tamis with more files than 15, and how many they have.
FULL: dict[str, int] = {"formats": 20, "tour": 16}
