"""PDF documents: certificates, candidates' sheets and examiners' lists.

`documents` reads the rows; `certificate` and `exam_papers` are pure: Python decides what a paper says, the `.typ` file
beside it how it looks. Text that people typed reaches Typst as data, never as markup.
"""
