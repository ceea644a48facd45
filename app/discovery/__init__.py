"""Find packs - by entry point and in a folder - and hand them to the kernel as plain data.

Finding, reading and judging are kept apart: this package finds and reads, `app.rules` judges.
The service's own packs come through the same entry point group as anyone's.
"""

from app.discovery.packs import find_packs, load_registry, read_pack_path

__all__ = ["find_packs", "load_registry", "read_pack_path"]
