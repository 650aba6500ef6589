"""Runs nginx with Lua: `python start.py HOST:PORT FOLDER [WORKERS [CONNECTIONS]]`; FOLDER takes nginx's own files.

OpenResty where it is installed, else Debian's nginx with its Lua module.
"""

import os
import shutil
import sys
from pathlib import Path

OPENRESTY = "/usr/local/openresty/nginx/sbin/nginx"
MODULES = Path("/usr/lib/nginx/modules")
# The Lua module uses the first one's functions, so it comes second.
NEEDED = ("ndk_http_module.so", "ngx_http_lua_module.so")

address, folder, *options = sys.argv[1:]
program = shutil.which("openresty") or (OPENRESTY if Path(OPENRESTY).exists() else None)
modules = "" if program else "\n".join(f"load_module {MODULES / name};" for name in NEEDED)
values = {
    "address": address,
    "modules": modules,
    "workers": options[0] if options else "auto",
    "connections": options[1] if options[1:] else "32768",
}
text = Path(__file__).with_name("nginx.conf").read_text(encoding="utf-8")
for name, value in values.items():
    text = text.replace(f"{{{{{name}}}}}", value)
config = Path(folder, "nginx.conf")
config.write_text(text, encoding="utf-8")
command = program or shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"
os.execv(command, [command, "-p", folder, "-c", str(config), "-e", "stderr"])  # noqa: S606 - to be replaced by nginx is its purpose
