alter table task add column done boolean not null default false;
