"""What a Snowflake schema may have and need not: keys, clustering, search optimisation, and who sees what.

Each option is a ``.sql`` file beside this module, which says its reason, its cost, the rights that it needs and how it
is undone. None of them changes what is written; each can be removed.
"""

from mdm_stream.warehouse.snowflake.options.apply import (
    OptionState,
    Plan,
    apply_option,
    option_states,
    plan_option,
    reapply_options,
    removal_of,
    remove_option,
)
from mdm_stream.warehouse.snowflake.options.option import SchemaOption, load_options
from mdm_stream.warehouse.snowflake.options.settings import OptionSettings

__all__ = [
    "OptionSettings",
    "OptionState",
    "Plan",
    "SchemaOption",
    "apply_option",
    "load_options",
    "option_states",
    "plan_option",
    "reapply_options",
    "removal_of",
    "remove_option",
]
