select * from {{ shop_entity('products') }}
