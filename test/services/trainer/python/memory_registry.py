"""A registry of schemas in memory."""


class MemoryRegistry:
    def __init__(self):
        self.schemas = []

    def register(self, schema):
        self.schemas.append(schema)
        return len(self.schemas)

    def schema(self, schema_id):
        return self.schemas[schema_id - 1] if schema_id <= len(self.schemas) else None
