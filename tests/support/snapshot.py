"""What is installed, as text: every function, table and type with its owner and its rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.databases import Connection

SCHEMAS = "('ledger', 'ledger_private')"

# Rights of the owner are left out: they differ between versions and say nothing.
RIGHTS = """
coalesce((
  select string_agg(format('%s: %s', grantee, rights), '; ' order by grantee)
  from (
    select
      coalesce(r.rolname, 'PUBLIC') as grantee,
      string_agg(
        acl.privilege_type || case when acl.is_grantable then '*' else '' end, ', '
        order by acl.privilege_type
      ) as rights
    from aclexplode({acl}) acl
    left join pg_roles r on r.oid = acl.grantee
    where acl.grantee <> {owner}
    group by 1
  ) grants
), 'nobody')"""

FUNCTIONS = f"""
select format(
  E'function %s.%s(%s)\\n  returns %s\\n  %s; owner %s\\n  set: %s\\n  granted to %s\\n',
  n.nspname, p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
  concat_ws(
    ', ', l.lanname,
    case p.provolatile when 'v' then 'volatile' when 's' then 'stable' else 'immutable' end,
    case p.proparallel when 'u' then 'parallel unsafe' when 's' then 'parallel safe' end,
    case when p.prosecdef then 'security definer' else 'security invoker' end,
    case when p.proisstrict then 'strict' end
  ),
  pg_get_userbyid(p.proowner), coalesce(array_to_string(p.proconfig, '; '), 'nothing'),
  {RIGHTS.format(acl="coalesce(p.proacl, acldefault('f', p.proowner))", owner="p.proowner")}
)
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
where n.nspname in {SCHEMAS}
order by n.nspname collate "C", p.proname collate "C"
"""

# Partitions but the default ones have names that tell the time: a test of pgTAP looks at them.
TABLES = f"""
select format(
  E'%s %s.%s\\n  owner %s%s\\n  granted to %s%s\\n',
  case c.relkind
    when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
    when 'S' then 'sequence'
  end,
  n.nspname, c.relname, pg_get_userbyid(c.relowner),
  case when c.relrowsecurity then '; row security' else '' end,
  {RIGHTS.format(acl="coalesce(c.relacl, acldefault('r', c.relowner))", owner="c.relowner")},
  coalesce(
    E'\\n' || (
      select string_agg(format('  column %s: %s', a.attname, rights), E'\\n' order by a.attnum)
      from pg_attribute a
      cross join lateral (
        select {RIGHTS.format(acl="a.attacl", owner="c.relowner")} as rights
      ) r
      where a.attrelid = c.oid
        and a.attacl is not null
        and a.attnum > 0
    ),
    ''
  )
  || coalesce(
    E'\\n' || (
      select string_agg(
        format(
          '  trigger %s, %s: %s', t.tgname,
          case t.tgenabled
            when 'A' then 'always' when 'O' then 'at the origin' when 'D' then 'DISABLED'
            else 'AT REPLICAS'
          end,
          regexp_replace(pg_get_triggerdef(t.oid), '^.* TRIGGER \\S+ ', '')
        ),
        E'\\n'
        order by t.tgname
      )
      from pg_trigger t
      where t.tgrelid = c.oid
        and not t.tgisinternal
    ),
    ''
  )
)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname in {SCHEMAS}
  and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
  and not (c.relispartition and c.relname not like '%\\_default')
order by n.nspname collate "C", c.relname collate "C"
"""

TYPES = f"""
select format(
  E'%s %s.%s\\n  owner %s\\n  granted to %s\\n',
  case t.typtype when 'd' then 'domain' when 'c' then 'type' else 'other type' end,
  n.nspname, t.typname, pg_get_userbyid(t.typowner),
  {RIGHTS.format(acl="coalesce(t.typacl, acldefault('T', t.typowner))", owner="t.typowner")}
)
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
left join pg_class c on c.oid = t.typrelid
where n.nspname in {SCHEMAS}
  and t.typcategory <> 'A'
  and (t.typtype <> 'c' or c.relkind = 'c')
order by n.nspname collate "C", t.typname collate "C"
"""

SCHEMA_RIGHTS = f"""
select format(
  E'schema %s\\n  owner %s\\n  granted to %s\\n', nspname, pg_get_userbyid(nspowner),
  {RIGHTS.format(acl="coalesce(nspacl, acldefault('n', nspowner))", owner="nspowner")}
)
from pg_namespace
where nspname in {SCHEMAS}
order by nspname
"""

# Logins are left out: those of this server, and version 16 made the creator of a role a member.
ROLES = """
select format(
  E'role %s%s\\n  members: %s\\n', r.rolname, case when r.rolcanlogin then ', login' else '' end,
  coalesce(
    (
      select string_agg(distinct m.member::regrole::text, ', ')
      from pg_auth_members m
      where m.roleid = r.oid
        and m.member::regrole::text like 'ledger\\_%'
    ),
    'none'
  )
)
from pg_roles r
where r.rolname like 'ledger\\_%'
order by r.rolname collate "C"
"""


async def take(con: Connection) -> str:
    """The whole snapshot; the same on every supported version of PostgreSQL."""
    lines = []
    for sql in (ROLES, SCHEMA_RIGHTS, TYPES, TABLES, FUNCTIONS):
        lines += [row[0] for row in await con.fetch(sql)]
    return "\n".join(lines)
