import { addTask, changeTask, deleteTask, listTasks, readVersion } from "./client.js";

const byId = (id) => document.getElementById(id);
const form = byId("add");
const list = byId("tasks");

let newest = 0;
let key = newKey();

/** Shows the tasks that match the filter; an answer that was overtaken by a later one is dropped. */
async function refresh() {
  const turn = ++newest;
  const done = document.querySelector("input[name=show]:checked").value;
  const tasks = await listTasks({ done, q: byId("search").value.trim() });
  if (turn !== newest) return;
  list.replaceChildren(...tasks.map(row));
  byId("empty").hidden = tasks.length > 0;
  const open = tasks.filter((task) => !task.done).length;
  byId("summary").textContent = `${open} open, ${tasks.length - open} done`;
}

function row(task) {
  const item = byId("task").content.firstElementChild.cloneNode(true);
  item.classList.toggle("done", task.done);
  item.querySelector(".title").textContent = task.title;
  const box = item.querySelector("input");
  box.checked = task.done;
  box.addEventListener("change", () => attempt(() => changeTask(task.id, { done: box.checked })));
  const remove = item.querySelector("button");
  remove.setAttribute("aria-label", `Delete ${task.title}`);
  remove.addEventListener("click", () => attempt(() => deleteTask(task.id)));
  if (task.due_on) showDue(item.querySelector("time"), task);
  return item;
}

function showDue(time, { due_on, done }) {
  const late = !done && due_on < new Date().toLocaleDateString("sv"); // Swedish dates are written year-month-day
  time.hidden = false;
  time.dateTime = due_on;
  time.textContent = late ? `late: ${due_on}` : `due ${due_on}`;
  time.classList.toggle("late", late);
}

/** Does something and shows what is there afterwards; a failure is told and leaves the page as the server has it. */
async function attempt(action) {
  try {
    await action();
    await refresh();
    byId("problem").hidden = true;
    return true;
  } catch (error) {
    byId("problem-text").textContent = error.message;
    byId("problem").hidden = false;
    await refresh().catch(() => {});
    return false;
  }
}

async function showVersion() {
  const { revision, digest } = await readVersion();
  byId("version").textContent = revision.slice(0, 7);
  byId("version").title = digest;
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const task = { title: byId("title").value.trim(), due_on: byId("due").value || null };
  if (!(await attempt(() => addTask(task, key)))) return; // the same key again when the person tries again
  key = newKey();
  form.reset();
  byId("title").focus();
});

form.addEventListener("input", () => {
  key = newKey(); // another task than the one that may have arrived before
});

let typing;
byId("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => attempt(() => {}), 200);
});
document.querySelectorAll("input[name=show]").forEach((box) => box.addEventListener("change", () => attempt(() => {})));
byId("retry").addEventListener("click", () => attempt(() => {}));

attempt(() => {});
showVersion().catch(() => {});
