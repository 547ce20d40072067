"""The pages of a dojo: the desk of its staff, the page of its families, and the kiosk at the door.

The desk is a client of the API, in the same process: a page asks the API's views for what it shows, and sends them what
people enter (`desk.api`). So access, validation and the audit are decided once, and a page is composed of answers that
any other client would get. Only what the API does not offer (birthdays, a year of attendance) is queried here.

One folder per page: its view and its templates. Scripts and styles are in `static/desk`.
"""
