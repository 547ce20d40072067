"""The icons of pages: shapes of SVG on a field of 24 by 24, drawn as lines of the colour of the text."""

from typing import Final

ICONS: Final = {
    "today": '<path d="M12 7v5l3 2"/><circle cx="12" cy="12" r="9"/>',
    "schedule": '<rect x="3" y="5" width="18" height="16" rx="2"/><path d="M3 10h18M8 3v4M16 3v4"/>',
    "students": '<circle cx="9" cy="8" r="4"/>'
    '<path d="M2 21c0-4 3-6 7-6s7 2 7 6M16 4a4 4 0 0 1 0 8M18 15c3 .7 4 3 4 6"/>',
    "promotions": '<path d="M3 9h18v5H3zM9 14l-3 7M15 14l3 7"/><rect x="10" y="7.5" width="4" height="8" rx="1"/>',
    "messages": '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3 7 9 6 9-6"/>',
    "reports": '<path d="M4 20V4M4 20h17M8 16v-5M13 16V7M18 16v-8"/>',
    "settings": '<circle cx="12" cy="12" r="3"/>'
    '<path d="M12 2v4M12 18v4M2 12h4M18 12h4M5 5l3 3M16 16l3 3M19 5l-3 3M8 16l-3 3"/>',
    "family": '<path d="m3 11 9-8 9 8M5 10v11h14V10M10 21v-6h4v6"/>',
    "account": '<circle cx="12" cy="8" r="4"/><path d="M4 21c0-4 3.5-6.5 8-6.5s8 2.5 8 6.5"/>',
    "more": '<circle cx="5" cy="12" r="1"/><circle cx="12" cy="12" r="1"/><circle cx="19" cy="12" r="1"/>',
    "search": '<circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5"/>',
    "plus": '<path d="M12 5v14M5 12h14"/>',
    "check": '<path d="m4 12 5 5L20 6"/>',
    "cross": '<path d="M6 6l12 12M18 6 6 18"/>',
    "warning": '<path d="M12 3 2 20h20zM12 10v4M12 17v.5"/>',
    "cake": '<path d="M4 20h16v-7H4zM12 9v4M8 9v4M16 9v4M12 5v1M8 5v1M16 5v1'
    'M4 16c2 2 3-1 5.3 0s3.3 1 5.4 0 3.3-1.5 5.3 0"/>',
    "card": '<rect x="3" y="6" width="18" height="12" rx="2"/><path d="M7 10h4v4H7zM14 10h4M14 14h3"/>',
    "print": '<path d="M7 9V3h10v6M7 17H4v-8h16v8h-3M7 14h10v7H7z"/>',
    "undo": '<path d="M4 9h10a6 6 0 0 1 0 12h-4M4 9l5-5M4 9l5 5"/>',
    "left": '<path d="m15 5-7 7 7 7"/>',
    "right": '<path d="m9 5 7 7-7 7"/>',
}
