select * from {{ shop_entity('returns') }}
