"""The indicator catalogue that all packs share."""
