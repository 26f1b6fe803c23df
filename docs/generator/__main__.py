"""`python -m docs.generator FOLDER` writes the sources of the site, which `make docs` then builds."""

import sys
from pathlib import Path

from docs.generator.site import write_site

write_site(Path(sys.argv[1]))
