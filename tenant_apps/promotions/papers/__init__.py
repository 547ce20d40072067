"""What a dojo prints for an exam: certificates, candidates' sheets, the examiners' list. Pure; as PDF.

Python says what is on a paper, the `.typ` file beside it how it looks. Everything that people typed reaches Typst
as data, never as markup.
"""

from tenant_apps.dojo.dates import Language
from tenant_apps.promotions.papers.candidate_sheet import CandidateSheet, candidate_sheet_pdf
from tenant_apps.promotions.papers.certificate import (
    MOST_IN_ONE_FILE,
    Certificate,
    NothingToPrint,
    TooManyCertificates,
    certificates_pdf,
)
from tenant_apps.promotions.papers.examiners_list import Candidate, ExaminersList, examiners_list_pdf

__all__ = [
    "MOST_IN_ONE_FILE",
    "Candidate",
    "CandidateSheet",
    "Certificate",
    "ExaminersList",
    "Language",
    "NothingToPrint",
    "TooManyCertificates",
    "candidate_sheet_pdf",
    "certificates_pdf",
    "examiners_list_pdf",
]
