const SECONDS = 10;

/** What the API, or the way to it, answered instead of a result; the message is for people. */
export class ApiError extends Error {}

async function call(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body ? { "Content-Type": "application/json", ...headers } : headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(SECONDS * 1000),
    });
  } catch (error) {
    throw new ApiError("The server cannot be reached. Your tasks are safe; nothing was changed.", { cause: error });
  }
  const result = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new ApiError(result?.error ?? `The server answered ${answer.status}.`);
  return result;
}

export async function listTasks({ done, q }) {
  const filter = new URLSearchParams();
  if (done) filter.set("done", done);
  if (q) filter.set("q", q);
  return (await call("GET", `/api/tasks?${filter}`)).tasks;
}

/** Adds a task once, however often it is sent with the same key. */
export function addTask(task, key) {
  return call("POST", "/api/tasks", task, { "Idempotency-Key": key });
}

export function changeTask(id, changes) {
  return call("PATCH", `/api/tasks/${id}`, changes);
}

export function deleteTask(id) {
  return call("DELETE", `/api/tasks/${id}`);
}

export function readVersion() {
  return call("GET", "/version");
}
