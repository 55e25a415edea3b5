from httpx2 import AsyncClient

from app.composition.container import RunningService
from tests.api.callers import Callers


async def test_an_invoice_over_http(callers: Callers, service: RunningService) -> None:
    ada, root = await callers.member(), await callers.administrator()
    await service.bus.settled()
    url = f"/api/customers/{ada.url.rpartition('/')[2]}/invoices"
    raised = await root.post(url, json={"amount": "12.50", "due": "2026-01-31"})
    assert raised.status_code == 201
    assert (await ada.get(url)).json() == [{**raised.json(), "amount": "12.50", "status": "open"}]
    paid = await root.post(f"{url}/{raised.json()['invoice_id']}/payment")
    assert paid.json() == {"version": 2}
    await service.bus.settled()
    assert (await root.get("/api/reports/revenue")).json() == [{"month": "2026-01", "raised": "12.50", "paid": "12.50"}]
    assert (await ada.post(url, json={"amount": "1.00", "due": "2026-01-31"})).status_code == 403


async def test_a_plain_endpoint(client: AsyncClient) -> None:
    assert (await client.get("/api/company")).json() == {"name": "Example Billing"}
