"""A database that is brought to where the service can stand on it."""

from __future__ import annotations

from app.database import Database, driver_of, schema
from app.domain import register
from app.domain.register import Progress


async def prepare(database: Database, progress: Progress) -> None:
    """Bring a database to where the service can stand on it: schema, register, rights.

    Raises DatabaseFailed with what to do. Without the owner's rights only checks remain.
    """
    await schema.upgrade(database)
    async with database.as_owner() as connection:
        driver = await driver_of(connection)
        if not await register.is_loaded(driver):
            await register.load(driver, progress)
    await schema.check_service(database)
    await database.disconnect()
