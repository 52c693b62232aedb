select * from {{ shop_entity('orders') }}
