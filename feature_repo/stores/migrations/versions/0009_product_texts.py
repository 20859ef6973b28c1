"""Texts of products: what each said and since when, so that past searches can be scored again."""

from alembic import op

revision = "0009"
down_revision = "0008"

# Triggers, so that nobody who writes products can forget it, and with the rights of whoever owns
# the table, so that nobody needs more than before. A text that stays is not written again: products
# change their price more often. Of one product each entry is later than the one before, so that the
# last one is what the table says now. When the texts that are there were written is not known.
_UPGRADE = """
CREATE TABLE product_texts (
    product_id text NOT NULL,
    written_at timestamptz NOT NULL,
    in_force_from timestamptz NOT NULL,
    title text NOT NULL,
    description text,
    search_text tsvector NOT NULL,
    PRIMARY KEY (product_id, written_at)
);

INSERT INTO product_texts
SELECT product_id, least(greatest(created_at, updated_at), now()),
       greatest(created_at, updated_at), title, description, search_text
FROM products;

CREATE FUNCTION keep_product_texts() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO product_texts
    SELECT product_id, greatest(clock_timestamp(), last.written_at + interval '1 microsecond'),
           greatest(created_at, updated_at), written.title, written.description,
           written.search_text
    FROM written LEFT JOIN LATERAL (
        SELECT written_at, title, description FROM product_texts
        WHERE product_texts.product_id = written.product_id
        ORDER BY written_at DESC LIMIT 1
    ) AS last ON true
    WHERE (written.title, written.description) IS DISTINCT FROM (last.title, last.description);
    RETURN NULL;
END $$;

CREATE TRIGGER keep_product_texts_of_insert AFTER INSERT ON products
REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION keep_product_texts();
CREATE TRIGGER keep_product_texts_of_update AFTER UPDATE ON products
REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION keep_product_texts();
"""

_DOWNGRADE = """
DROP TRIGGER keep_product_texts_of_insert ON products;
DROP TRIGGER keep_product_texts_of_update ON products;
DROP FUNCTION keep_product_texts;
DROP TABLE product_texts;
"""


def upgrade() -> None:
    """Keep the texts of products, from now on."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Forget past texts; the products stay."""
    op.execute(_DOWNGRADE)
