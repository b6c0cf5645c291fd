"""What every layout stores: resources as a scan brings them, and what is asked of them afterwards."""

import hashlib
import random
import uuid

BATCH = 1_000
PAGE = 50
CHANGED = 1_000
RUNS = 5
BIG = uuid.UUID(int=1)
SMALL = uuid.UUID(int=2)
SMALL_SHARE = 10  # One resource in ten belongs to a small organization, of 1,000 resources each.

# Of a tag that most resources have, one of twelve values; of one that half have, one of five thousand.
NAMES = ["Environment", "CostCenter", "Owner", "Project"] + [f"Tag{number:02}" for number in range(36)]
WEIGHTS = [9.0, 8.0, 4.0, 2.0] + [10 / (rank + 4) for rank in range(36)]
VALUES = [12, 5_000, 800, 200] + [10 * (rank + 1) for rank in range(36)]
COUNTS = [0, 1, 2, 3, 4, 5, 6, 7, 8]
COUNT_WEIGHTS = [12, 14, 17, 18, 14, 10, 7, 5, 3]

COMMON, RARE = ("environment", "v3"), ("costcenter", "v77")
PRESENT, ABSENT = "project", "owner"


def resources(count):
    """Resources in the order of a scan: one subscription after the other."""
    chance = random.Random(7)
    in_small = count // SMALL_SHARE
    for number in range(count):
        if number < count - in_small:
            organization, subscription = BIG, uuid.UUID(int=(1 << 64) + number // 2_000)
        else:
            small = (number - (count - in_small)) // 1_000
            organization, subscription = uuid.UUID(int=2 + small), uuid.UUID(int=(2 << 64) + small)
        wanted = chance.choices(COUNTS, COUNT_WEIGHTS)[0]
        tags = {}
        while len(tags) < wanted:
            place = chance.choices(range(len(NAMES)), WEIGHTS)[0]
            tags.setdefault(place, f"v{chance.randrange(VALUES[place])}")
        fold = chance.choice([str, str, str.lower, str.upper])
        name = f"res-{chance.randrange(16**6):06x}-{number}"
        yield {
            "id": uuid.UUID(int=chance.getrandbits(128)),
            "organization": organization,
            "subscription": subscription,
            "name": name,
            "arm_id": f"/subscriptions/{subscription}/resourceGroups/rg-{number // 40}/providers/"
            f"Microsoft.Compute/virtualMachines/{name}",
            "tags": {fold(NAMES[place]): value for place, value in tags.items()},
        }


def terms(tags):
    folded = [(name.lower(), value) for name, value in tags.items()]
    return [name for name, _ in folded] + [f"{name}\n{value}" for name, value in folded]


def own_term(organization, text):
    """A term that no other organization has, as a number."""
    return int.from_bytes(hashlib.blake2b(text.encode(), key=organization.bytes, digest_size=6).digest())


def term(name, value):
    return name if value is None else f"{name}\n{value}"


def filters(has):
    """What is asked, by title: the organization and the condition."""
    return {
        "name": (BIG, has(BIG, COMMON[0])),
        "value, 5 %": (BIG, has(BIG, *COMMON)),
        "value, 0.01 %": (BIG, has(BIG, *RARE)),
        "one, not another": (BIG, f"{has(BIG, PRESENT)} and not {has(BIG, ABSENT)}"),
        "value, small organization": (SMALL, has(SMALL, *COMMON)),
    }
