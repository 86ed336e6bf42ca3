from dataclasses import dataclass

import streamhost
from streamhost import Group, Value


@dataclass
class User:
    id: int


@dataclass
class Event:
    n: int


def look(user: User) -> User:
    if user.id == 2:
        raise KeyError(f"no such id: {user.id}")
    return user


@streamhost.keyed
def each(user: User, events: Group[Event], last: Value[Event]) -> User | None:
    return look(user)
