create table tasks (
  id integer generated always as identity primary key,
  title text not null check (length(title) between 1 and 200),
  notes text not null default '',
  done boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
