"""The definition of a rank system: its ranks, the steps between them, and the criteria of each step.

A definition is one document, edited as a whole. `parse_definition` turns JSON into an immutable, hashable
`RankDefinition`, or reports every fault with its place. Documents with the same meaning are equal once parsed, and
have the same `as_document()`. The fields of the document:

    format          1
    name, art       "IBJJF adult", "Brazilian jiu-jitsu"
    source          where the rules were read
    confidence      O the federation's own text, S a secondary page, C the page of a club, M memory
    edition, effective_on (YYYY-MM-DD), note      optional
    ranks           lowest first; a rank's place in the list is its order
      code, name    steps and the rank events of students refer to the code
      native_name, track, colours (["#1a2b3c", …], for drawing the belt), syllabus      optional
      holding_ages  {min, max, basis}: a criterion of every path to the rank that has no `age` of its own
      exam          how an exam for the rank is marked: {techniques: [names], best_mark, pass_mark, examiners,
                    licence}: each technique needs the pass mark; so many examiners, with this licence
      kind          rank (default); sub_rank: a stripe on the rank before it in the list, which is still held;
                    title
    steps
      from, to      codes; from null: the step of a student without a rank of this system
      type          promote (default), convert (to the same grade of another track), skip (a jump promotion)
      clock         of a conversion: restarts (default), or carries: waiting time, attendance and facts count on
                    for the rank converted to
      anchor        the event from which waiting time and counts run: rank (default), or last_test: they
                    restart after a failed test
      paths         alternatives (OR), the usual one first
        name        the name of the path in results
        criteria    all needed (AND); each {kind, …parameters}, see `tenant_apps.ranks.criteria`
"""

from tenant_apps.ranks.definition.parsing import DefinitionError, accepted_definition, parse_definition
from tenant_apps.ranks.definition.rank_definition import (
    Anchor,
    ClockSetting,
    Confidence,
    ExamRules,
    Path,
    RankDefinition,
    RankDescription,
    RankKind,
    Step,
    StepType,
)

__all__ = [
    "Anchor",
    "ClockSetting",
    "Confidence",
    "DefinitionError",
    "ExamRules",
    "Path",
    "RankDefinition",
    "RankDescription",
    "RankKind",
    "Step",
    "StepType",
    "accepted_definition",
    "parse_definition",
]
