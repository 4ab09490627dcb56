"""OpenVINO, imported without the part of it that reports to its maker.

``import openvino`` sends an event over the network, with a client id that it keeps in the home folder, unless its
package for that is missing. For us it is missing: a portal tells nobody what it does, and works without a network.
"""

import sys
import threading
from typing import Any, Final

_REPORTER: Final = "openvino_telemetry"
_lock = threading.Lock()
_core: Any = None


def openvino_module() -> Any:
    """The library; import it through here only."""
    # An entry of None makes "import openvino_telemetry" fail, and OpenVINO then takes its own silent stand-in.
    sys.modules.setdefault(_REPORTER, None)  # type: ignore[arg-type]
    import openvino

    return openvino


def openvino_core() -> Any:
    """The library's entrance, one in a process: the plug-in it loads is shared by all towers."""
    global _core
    with _lock:
        if _core is None:
            _core = openvino_module().Core()
        return _core
