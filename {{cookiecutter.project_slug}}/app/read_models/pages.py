"""Pages of long lists."""

from app.core.cqrs import Pagination

LARGEST_PAGE = 2**31 - 1
LARGEST_PAGE_SIZE = 100


def page_problems(page: int, page_size: int) -> dict[str, str]:
    """Field -> its problem."""
    problems: dict[str, str] = {}
    if not 1 <= page <= LARGEST_PAGE:
        problems["page"] = "must be at least 1" if page < 1 else f"must be at most {LARGEST_PAGE}"
    if not 1 <= page_size <= LARGEST_PAGE_SIZE:
        problems["page_size"] = f"must be 1 to {LARGEST_PAGE_SIZE}"
    return problems


def first_index(page: int, page_size: int) -> int:
    """How many rows come before a page."""
    return (page - 1) * page_size


def page_info(page: int, page_size: int, total_count: int) -> Pagination:
    """The position of a page in a list of so many rows."""
    total_pages = -(-total_count // page_size)
    return Pagination(
        page=page,
        page_size=page_size,
        total_count=total_count,
        total_pages=total_pages,
        has_next=page < total_pages,
        has_previous=page > 1,
    )
