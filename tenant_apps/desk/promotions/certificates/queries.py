"""The certificates of the dojo, which the API offers by award and by exam only."""

from django.core.paginator import InvalidPage, Page, Paginator
from django.db.models import Q

from tatami.errors import NotFound
from tatami.text import normalise
from tenant_apps.promotions.models import Certificate


def certificates(search: str, *, page: int, size: int) -> "Page[Certificate]":
    """Return a page of certificates, the latest awards first: those whose number, code or student is searched for.

    Two statements. Raises `NotFound` for a page that there is not.
    """
    rows = (
        Certificate.objects.not_erased()
        .select_related("event__student", "event__rank", "numbering")
        .order_by("-event__effective_on", "-pk")
    )
    words = search.strip()
    if words:
        by_student = Q()
        for word in normalise(words).split()[:10]:
            by_student &= Q(event__student__search_name__contains=word)
        rows = rows.filter(Q(numbering__text__icontains=words) | Q(code__iexact=words) | by_student)
    pages = Paginator(rows, size)
    try:
        return pages.page(page)
    except InvalidPage:
        raise NotFound from None
