"""Who we are: a plain endpoint, without the bus."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/company", tags=["company"])


@router.get("")
async def company() -> dict[str, str]:
    """The name of the company."""
    return {"name": "Example Billing"}
