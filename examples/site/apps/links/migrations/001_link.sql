create table link (
  slug    text primary key,
  url     text not null,
  created integer not null, -- milliseconds, as all times
  expires integer not null,
  hits    integer not null default 0
) strict;

create index link_by_created on link (created);
create index link_by_expires on link (expires);
