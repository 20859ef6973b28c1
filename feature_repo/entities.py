"""What features describe: users, products, categories, and pairs with a product."""

from feast import Entity, ValueType

USER = Entity(
    name="user",
    join_keys=["user_id"],
    value_type=ValueType.STRING,
    description="A shopper, known by the id of their account.",
)
PRODUCT = Entity(
    name="product",
    join_keys=["product_id"],
    value_type=ValueType.STRING,
    description="An article of the catalog.",
)
CATEGORY = Entity(
    name="category",
    join_keys=["category"],
    value_type=ValueType.STRING,
    description="A category of the catalog.",
)
QUERY = Entity(
    name="query",
    join_keys=["query"],
    value_type=ValueType.STRING,
    description="A search, known by the text that a shopper typed.",
)

ENTITIES = (USER, PRODUCT, CATEGORY, QUERY)

# What a feature may name as its entity, and the Feast entities that make it up, in the order in
# which their join keys form the entity id: Feast has no entity of two join keys, but a feature view
# may have two entities.
FEATURE_ENTITIES: dict[str, tuple[Entity, ...]] = {
    "user": (USER,),
    "product": (PRODUCT,),
    "category": (CATEGORY,),
    "user_product": (USER, PRODUCT),
    "product_query": (PRODUCT, QUERY),
}
