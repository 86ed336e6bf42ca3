from dataclasses import dataclass

import streamhost


@dataclass
class Event:
    id: int


def look(id: int) -> bool:
    if id == 2:
        raise KeyError(f"no such id: {id}")
    return True


@streamhost.filter
def keep(event: Event) -> bool:
    return look(event.id)
