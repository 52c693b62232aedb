select * from {{ shop_entity('stock_levels') }}
