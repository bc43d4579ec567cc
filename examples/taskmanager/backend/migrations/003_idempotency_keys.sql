alter table tasks add column idempotency_key text unique;
