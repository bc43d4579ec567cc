alter table tasks add column due_on date;
create index tasks_in_order on tasks (done, due_on, id);
