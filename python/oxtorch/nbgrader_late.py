"""nbgrader's plugin for late work, with the shares that `oxtorch grade` has as well.

    c.AssignLatePenalties.plugin_class = "oxtorch.nbgrader_late.LatePenalty"
"""

from __future__ import annotations

from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Float, List, Tuple

SECONDS_OF_AN_HOUR = 3600


class LatePenalty(LateSubmissionPlugin):
    """Takes off a share of the points by how late a submission is: 0.1 within a day, 0.3 within three days, 0.5 later.

    nbgrader asks when it autogrades. Points that are given by hand count from the next `nbgrader autograde --force` on.
    """

    steps = List(
        Tuple(Float(), Float()),
        default_value=[(24, 0.9), (72, 0.7)],
        help="Hours, in ascending order, and the share of the points that counts up to then",
    ).tag(config=True)
    afterwards = Float(0.5, help="The share of the points that counts later").tag(config=True)

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float:
        """What is taken off `score`."""
        hours = total_seconds_late / SECONDS_OF_AN_HOUR
        share = next((share for up_to, share in self.steps if hours <= up_to), self.afterwards)
        return float(score * (1 - share))
