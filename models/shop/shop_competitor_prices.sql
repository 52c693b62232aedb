select * from {{ shop_entity('competitor_prices') }}
