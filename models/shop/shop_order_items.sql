select * from {{ shop_entity('order_items') }}
