select * from {{ shop_entity('payments') }}
