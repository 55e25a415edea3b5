"""What is counted, for Prometheus."""

from httpx2 import AsyncClient


async def test_metrics_are_text_that_prometheus_reads(client: AsyncClient) -> None:
    answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "python_info" in answer.text
