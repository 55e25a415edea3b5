import pytest

from app.read_models.pages import first_index, page_info, page_problems


@pytest.mark.parametrize(
    ("page", "total", "pages", "has_next", "has_previous"),
    [
        (1, 0, 0, False, False),
        (1, 1, 1, False, False),
        (1, 11, 2, True, False),
        (2, 11, 2, False, True),
        (3, 11, 2, False, True),
    ],
)
def test_a_page_knows_its_neighbours(page: int, total: int, pages: int, has_next: bool, has_previous: bool) -> None:
    info = page_info(page, 10, total)
    assert (info["total_pages"], info["has_next"], info["has_previous"]) == (pages, has_next, has_previous)
    assert first_index(page, 10) == (page - 1) * 10


def test_a_page_has_bounds() -> None:
    assert page_problems(1, 100) == {}
    assert set(page_problems(0, 0)) == {"page", "page_size"}
    assert set(page_problems(2**63, 101)) == {"page", "page_size"}
