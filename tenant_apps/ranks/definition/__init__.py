"""A rank system's definition: its ranks, the steps between them, and what each step asks for.

One document, edited as a whole. `parse_definition` turns JSON into an immutable, hashable `RankDefinition`,
or names every fault with its place. Two documents that mean the same are equal once parsed, and have the
same `as_document()`. The document's fields:

    format          1
    name, art       "IBJJF adult", "Brazilian jiu-jitsu"
    source          where the rules were read
    confidence      O the body's own text was read, S a secondary page has it, C a club's page, M memory
    edition, effective_on (YYYY-MM-DD), note      optional
    ranks           lowest first; a rank's place in the list is its order
      code, name    the code is what steps and students' rank events refer to
      native_name, track, colours (["#1a2b3c", …], for drawing the belt), syllabus      optional
      holding_ages  {min, max, basis}: asked for by every path to the rank that has no `age` of its own
      kind          rank (default); sub_rank: a stripe on the rank before it in the list, which who wears it
                    still holds; title
    steps
      from, to      codes; from null: the step of somebody who holds no rank of this system yet
      type          promote (default), convert (to the same grade of another track), skip (a jump promotion)
      clock         of a conversion: restarts (default), or carries the waiting time and all that was done for
                    the next rank over to the rank converted to
      anchor        what the step's waiting time and counts run from: rank (default), or last_test, which
                    restarts them after a failed test
      paths         alternatives (OR), the usual one first
        name        names the path in an answer
        criteria    all needed (AND); each {kind, …parameters}, see `tenant_apps.ranks.criteria`
"""

from tenant_apps.ranks.definition.parsing import DefinitionError, accepted_definition, parse_definition
from tenant_apps.ranks.definition.rank_definition import Confidence, RankDefinition, RankDescription, RankKind
from tenant_apps.ranks.definition.steps import Anchor, ClockSetting, Path, Step, StepType

__all__ = [
    "Anchor",
    "ClockSetting",
    "Confidence",
    "DefinitionError",
    "Path",
    "RankDefinition",
    "RankDescription",
    "RankKind",
    "Step",
    "StepType",
    "accepted_definition",
    "parse_definition",
]
