"""What an environment shares with this process by path: all that is installed beside skewbench, and its source."""

import site
import sys
import sysconfig


def shared_paths() -> list[str]:
    """Return this process' path without the standard library, in its order."""
    ours = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    ours |= {f"{path}/lib-dynload" for path in ours}
    return [path for path in sys.path if path and path not in ours and not path.endswith(".zip")]


def site_folders() -> list[str]:
    """Return the folders of installed packages, whose `.pth` files count: editable installs are named in them."""
    folders = site.getsitepackages()
    return [*folders, site.getusersitepackages()] if site.ENABLE_USER_SITE else folders
