from concurrent.futures import ThreadPoolExecutor

import pytest


def titles(answer):
    return [task["title"] for task in answer.json()["tasks"]]


def test_a_new_task_is_open_and_can_be_read_where_it_says(api, word):
    answer = api.post("/api/tasks", json={"title": word, "notes": "soon", "due_on": "2031-02-28"})
    assert answer.status_code == 201
    task = api.get(answer.headers["location"]).json()
    assert (task["title"], task["notes"], task["due_on"], task["done"]) == (word, "soon", "2031-02-28", False)


def test_text_comes_back_as_it_was_written(add, api, word):
    title = f"{word} <b>Ümläut</b> '; drop table tasks; -- 🧹"
    assert api.get(f"/api/tasks/{add(title)['id']}").json()["title"] == title


def test_open_and_done_tasks_can_be_told_apart(add, api, word):
    first = add(f"{word} first")
    add(f"{word} second")
    api.patch(f"/api/tasks/{first['id']}", json={"done": True})
    assert titles(api.get("/api/tasks", params={"q": word, "done": "true"})) == [f"{word} first"]
    assert titles(api.get("/api/tasks", params={"q": word, "done": "false"})) == [f"{word} second"]


def test_open_tasks_come_first_then_by_due_date(add, api, word):
    done = add(f"{word} done", due_on="2031-01-01")
    add(f"{word} some day")
    add(f"{word} late", due_on="2031-03-01")
    add(f"{word} early", due_on="2031-02-01")
    api.patch(f"/api/tasks/{done['id']}", json={"done": True})
    found = titles(api.get("/api/tasks", params={"q": word}))
    assert found == [f"{word} early", f"{word} late", f"{word} some day", f"{word} done"]


def test_a_percent_sign_is_searched_literally(add, api, word):
    add(f"{word} 100 percent")
    add(f"{word} 100%")
    assert titles(api.get("/api/tasks", params={"q": f"{word} 100%"})) == [f"{word} 100%"]


def test_the_list_has_no_more_than_was_asked_for(add, api, word):
    for number in range(3):
        add(f"{word} {number}")
    assert len(titles(api.get("/api/tasks", params={"q": word, "limit": 2}))) == 2


def test_a_change_leaves_the_other_fields(add, api, word):
    task = add(word, notes="keep me", due_on="2031-01-01")
    changed = api.patch(f"/api/tasks/{task['id']}", json={"due_on": None}).json()
    assert (changed["title"], changed["notes"], changed["due_on"]) == (word, "keep me", None)
    assert changed["updated_at"] > task["updated_at"]


def test_a_deleted_task_is_gone(add, api, word):
    task = add(word)
    assert api.delete(f"/api/tasks/{task['id']}").status_code == 204
    assert api.get(f"/api/tasks/{task['id']}").status_code == 404
    assert api.delete(f"/api/tasks/{task['id']}").status_code == 404


def test_the_same_key_adds_one_task_also_at_the_same_time(api, word):
    def post(_):
        return api.post("/api/tasks", json={"title": word}, headers={"Idempotency-Key": word})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert titles(api.get("/api/tasks", params={"q": word})) == [word]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "title is missing"),
        ({"title": " "}, "title must not be empty"),
        ({"title": "x" * 201}, "title must NOT have more than 200 characters"),
        ({"title": "x", "due_on": "soon"}, "due_on must be a date like 2030-12-31"),
        ({"title": "x", "owner": "me"}, "owner is not a known field"),
    ],
)
def test_a_bad_task_is_refused_with_a_reason(api, body, complaint):
    answer = api.post("/api/tasks", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, complaint)


def test_text_that_is_no_json_is_refused(api):
    answer = api.post("/api/tasks", content="{title", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_a_task_there_never_was(api):
    answer = api.patch("/api/tasks/2147483647", json={"done": True})
    assert (answer.status_code, answer.json()["error"]) == (404, "there is no task 2147483647")
