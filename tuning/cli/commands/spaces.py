"""Showing search spaces, published sets and recipes."""

from search_spaces import load_space, packaged_recipes, published_sets, space_names
from tuning.views.terminal.console import output, print_json, say
from tuning.views.terminal.fitted_table import Column, FittedTable
from tuning.views.terminal.space_table import value_range


def spaces(name: str | None, *, as_json: bool) -> None:
    """Lists spaces, published sets and recipes, or shows one space."""
    if name is None:
        if as_json:
            published = {n: s.parameters for n, s in published_sets().items()}
            recipes = {n: r.model_dump(mode="json", exclude={"name"}) for n, r in packaged_recipes().items()}
            print_json({"spaces": space_names(), "published": published, "recipes": recipes})
            return
        console = output()
        say(console, "Spaces: " + ", ".join(space_names()))
        say(console, "Published sets: " + ", ".join(published_sets()))
        if packaged_recipes():
            say(console, "Recipes: " + ", ".join(packaged_recipes()))
        return
    space = load_space(name)
    if as_json:
        print_json(space.model_dump(mode="json", exclude_none=True))
        return
    table = FittedTable(
        f"{space.name}: search space of the method {space.method}",
        (Column("parameter", text=True), Column("range", text=True), Column("why", rank=1, text=True)),
    )
    for parameter_name, parameter in space.parameters.items():
        described = value_range(parameter)
        if (condition := space.condition(parameter_name)) != "":
            described += f", only with {condition.replace('`', '')}"
        table.add_row(parameter_name, described, parameter.why)
    output().print(table)
