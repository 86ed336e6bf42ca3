import streamhost


def seen(id: int) -> int:
    if id == 2:
        raise KeyError(f"no such id: {id}")
    return id


@streamhost.function
def look(id: int) -> int:
    return seen(id)
