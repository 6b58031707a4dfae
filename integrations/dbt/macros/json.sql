{#- The three things that DuckDB and Snowflake spell differently. -#}

{#- The text of a top-level key of a JSON column; NULL where it is absent or null. -#}
{% macro json_text(column, key) %}{{ return(adapter.dispatch("json_text", "mdm_stream")(column, key)) }}{% endmacro %}

{% macro duckdb__json_text(column, key) %}({{ column }} ->> '$.{{ key }}'){% endmacro %}

{% macro snowflake__json_text(column, key) %}{{ column }}:{{ key }}::varchar{% endmacro %}

{#- What joins a row with the items of a JSON array, each as JSON in the column `value` of `alias`. -#}
{% macro each_item(array, alias) %}{{ return(adapter.dispatch("each_item", "mdm_stream")(array, alias)) }}{% endmacro %}

{% macro duckdb__each_item(array, alias) %}cross join lateral (select unnest(cast({{ array }} as json[])) as value) as {{ alias }}{% endmacro %}

{% macro snowflake__each_item(array, alias) %}cross join lateral flatten(input => {{ array }}) as {{ alias }}{% endmacro %}

{#- What joins a row with the entries of a JSON object: columns `key` and `value` of `alias`. -#}
{% macro each_entry(object, alias) %}{{ return(adapter.dispatch("each_entry", "mdm_stream")(object, alias)) }}{% endmacro %}

{% macro duckdb__each_entry(object, alias) %}cross join lateral (select key, value from json_each({{ object }})) as {{ alias }}{% endmacro %}

{% macro snowflake__each_entry(object, alias) %}cross join lateral flatten(input => {{ object }}) as {{ alias }}{% endmacro %}

{#- A top-level key of a JSON column, as JSON. -#}
{% macro json_member(column, key) %}{{ return(adapter.dispatch("json_member", "mdm_stream")(column, key)) }}{% endmacro %}

{% macro duckdb__json_member(column, key) %}({{ column }} -> '$.{{ key }}'){% endmacro %}

{% macro snowflake__json_member(column, key) %}{{ column }}:{{ key }}{% endmacro %}
