"""Makes DroidSansFallback-subset.ttf.gz from DroidSansFallbackFull.ttf of the package that README.md names.

    pip install fonttools
    python font.py DroidSansFallbackFull.ttf
"""

import gzip
import io
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont


def decoded(encoding, firsts, seconds):
    for first in firsts:
        for second in seconds:
            try:
                yield ord(bytes([first, second]).decode(encoding))
            except UnicodeDecodeError:
                pass


wanted = set(decoded("gb2312", range(0xA1, 0xF8), range(0xA1, 0xFF)))
# Big5 has its frequent characters first, up to 0xC67E.
wanted |= set(decoded("big5", range(0xA4, 0xC6), [*range(0x40, 0x7F), *range(0xA1, 0xFF)]))
wanted |= set(decoded("big5", [0xC6], range(0x40, 0x7F)))
wanted = {char for char in wanted if char >= 0x2E80} | set(range(0x3000, 0x3100)) | set(range(0xFF00, 0xFFEF))

options = subset.Options(hinting=False, layout_features=[], notdef_outline=True, name_IDs=[0, 1, 2, 4, 6, 13, 14])
font = TTFont(sys.argv[1], recalcTimestamp=False)
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=wanted)
subsetter.subset(font)
data = io.BytesIO()
font.save(data)
packed = io.BytesIO()
# Without a time and a name in its head, so that the same data gives the same file.
with gzip.GzipFile("", "wb", 9, packed, mtime=0) as file:
    file.write(data.getvalue())
Path(__file__).with_name("DroidSansFallback-subset.ttf.gz").write_bytes(packed.getvalue())
