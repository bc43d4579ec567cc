def test_it_is_healthy(api):
    answer = api.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_it_tells_what_it_runs(api):
    assert set(api.get("/version").json()) == {"revision", "digest", "started"}


def test_an_unknown_path_is_answered_as_json(api):
    answer = api.get("/api/nothing")
    assert (answer.status_code, answer.json()["error"]) == (404, "there is nothing at /api/nothing")
