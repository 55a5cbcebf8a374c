"""Write plugins/template anew: python plugins/make_template.py.

It is what ``ctckit decoders new template`` writes. The command itself refuses that name where the
template is installed.
"""

import shutil
from pathlib import Path

from ctckit.cli.new import package_files, write_package

FOLDER = Path(__file__).with_name("template")

if __name__ == "__main__":
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    for path in write_package(FOLDER, package_files("template")):
        print(path.relative_to(FOLDER.parent.parent))
