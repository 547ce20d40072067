"""The certificates: a list to search and print from."""

from typing import Any, Final

from tenant_apps.desk.belts import belts
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.certificates.queries import certificates

PAGE_SIZE: Final = 50


class Certificates(Page):
    """All certificates, the latest first."""

    template_name = "desk/promotions/certificates/list.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        search = self.query("search")[:200]
        found = certificates(search, page=self.page_number, size=PAGE_SIZE)
        return {
            "certificates": found.object_list,
            "search": search,
            "belts": belts(),
            "number": found.number,
            "pages": found.paginator.num_pages,
        }
