"""What nbgrader needs to know of courses in Rust. `oxtorch nbgrader-config` prints this file.

    oxtorch nbgrader-config > nbgrader_config.py      # in the folder of the course

nbgrader reads it there, and gives it `get_config`.
"""

c = get_config()

# What students get in the place of a solution: it compiles, and what calls it fails. `oxtorch assignment release` writes
# the same.
c.ClearSolutions.code_stub = {"rust": "// YOUR CODE HERE\ntodo!();"}

# A test that a student has deleted is put back and graded. nbgrader writes `# ` ahead of the text, a comment in Python:
# here it makes an attribute that does no harm.
c.OverwriteCells.add_missing_cells = True
c.OverwriteCells.missing_cell_notification = "[allow(unused)] // This cell was missing and has been put back.\n"

# Late work: 0.9 of the points count within a day of `duedate`, 0.7 within three, and 0.5 later. To change that:
#
#     c.LatePenalty.steps = [(24, 0.8)]     # up to so many hours, this share of the points
#     c.LatePenalty.afterwards = 0.0        # the share later
#
# The plugin is a part of the Python package `oxtorch`: without that package beside nbgrader, nothing is taken off.
try:
    from oxtorch.nbgrader_late import LatePenalty
except ImportError:
    pass
else:
    c.AssignLatePenalties.plugin_class = LatePenalty
